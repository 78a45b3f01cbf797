"""The middleware as a server and a prober see it: raw scopes and messages in, messages out."""
