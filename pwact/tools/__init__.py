"""Commands beside the campaign: conversion, collection, limits, pictures, status, kill."""
