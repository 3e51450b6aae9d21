"""The commands, mounted."""

from __future__ import annotations

import typer

from suffice.cli import bench, check, dataset, demo, explain, mask, masks, models, semantic, sql, store

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
app.command("mask")(mask.mask)
app.add_typer(masks.app, name="masks")
app.command("dataset")(dataset.dataset)
app.command("semantic")(semantic.semantic)
app.command("check")(check.check)
app.command("bench")(bench.bench)
