"""Programs killed at named points and at random, then looked at."""
