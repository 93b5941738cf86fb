"""How the app is served to many: replicas behind HAProxy, as processes (`serve`), containers or pods."""
