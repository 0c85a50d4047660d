"""Parts of extract-service and domain-errors: where HTTP ends and business begins."""
