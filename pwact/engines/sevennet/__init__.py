"""SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857): from nothing, or from SevenNet-0."""
