"""Parts of response-schemas: what answers hold, exactly."""
