"""What must run where the mouse is: each component a folder with its script and a thin Python wrapper."""
