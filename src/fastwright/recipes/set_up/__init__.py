"""Parts of app-factory: what an application sets up and keeps."""
