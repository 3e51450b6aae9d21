"""The commands, mounted."""

from __future__ import annotations

import typer

from suffice.cli import animate, bench, check, demo, explain, inpaint, models, regional, sql, store

app = typer.Typer(
    name="suffice",
    help="Just enough compute for the answer you asked for: SQL over video, pictures, documents and tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("sql")(sql.sql)
app.command("explain")(explain.explain)
app.command("models")(models.models)
app.add_typer(store.app, name="store")
app.add_typer(regional.app, name="regional")
app.command("check")(check.check)
app.command("animate")(animate.animate)
app.command("inpaint")(inpaint.inpaint)
app.command("bench")(bench.bench)
