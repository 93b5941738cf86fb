"""What the browser shows: state, library, geometry, pictures, figures, views and components."""
