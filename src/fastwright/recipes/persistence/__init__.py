"""Parts of extract-repository and unit-of-work: statements, repositories, ports, commits."""
