"""How the models come to be: data, models, objective, loop, files. Knows nothing of the app."""
