"""What stands between the browsers and the app: HAProxy, with real replicas behind it."""
