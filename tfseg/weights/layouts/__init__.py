"""How the original code bases name what our variables hold."""
