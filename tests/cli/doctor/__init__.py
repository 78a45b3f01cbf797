"""A corpus for the doctor: small apps and manifests with one fault each."""
