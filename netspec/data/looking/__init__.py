"""The first look at data: what is looked at, what is wrong, and the report on it."""
