"""Parts of pydantic-v2: what Pydantic 1 said."""
