"""What a campaign shows of itself: tables, pictures, summaries."""
