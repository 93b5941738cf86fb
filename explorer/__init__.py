"""What the browser shows: choices, experiments, models and their maps, metrics, figures, views and components."""
