"""The kit that resources are made with: declared operations, checked bodies, ETags, OpenAPI from the same words."""
