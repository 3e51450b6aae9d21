"""Text to plan: our clauses and statements, names bound, rules that decide what each model must see."""
