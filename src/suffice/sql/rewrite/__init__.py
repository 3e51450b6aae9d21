"""One rule a file: a bound query to what each model must see, and to the SQL that DuckDB answers."""
