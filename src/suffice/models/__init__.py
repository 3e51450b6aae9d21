"""What can be called on a blob: the protocol, the registry, one file a model, one file a runner."""
