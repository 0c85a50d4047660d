"""Parts of unblock: what leaves the event loop, and how."""
