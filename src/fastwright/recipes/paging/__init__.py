"""Parts of paginate: pages, and the way from an endpoint to its statement."""
