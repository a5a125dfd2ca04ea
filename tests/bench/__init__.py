"""What Peaje costs, measured: each module yields rows ``{name, ours, stock, unit, ratio, conditions}``."""
