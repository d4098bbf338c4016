"""What people look at: tables of scores, pages, charts, and pictures of data and results."""
