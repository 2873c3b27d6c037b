"""What the updates keep, cost and repeat: measures of one case under one variant, and their means over cases."""
