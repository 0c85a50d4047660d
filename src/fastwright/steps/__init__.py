"""Steps: changes to a project, made one by one, each verified before it is written."""
