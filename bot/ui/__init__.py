"""What members see: cards (Components V2 layouts) and buttons."""
