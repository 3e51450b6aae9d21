"""Fifth chapter: a small model, trained across devices that keep their data."""

from __future__ import annotations

from suffice.tour.chapter import Chapter, Figure, Trip


def learn(trip: Trip) -> Chapter:
    """Handwritten digits of 300 simulated devices."""
    from suffice.federated import FederatedConfig, save_run, simulate
    from suffice.federated.finished.chart import line_chart

    config = FederatedConfig(
        data_set="digits",
        clients=300,
        num_participants=30,
        rounds=6 if trip.is_quick else 60,
        local_steps=10,
        learning_rate=0.1,
        gradient_policy="fed-yogi",
        eval_interval=2,
        method="vmap",
    )
    report = simulate(config)
    trip.run = trip.out / "digits"
    save_run(trip.run, report)
    last = [each for each in report.rounds if each.loss == each.loss][-1]
    taking_part = 1 - sum(each.clients for each in report.rounds) / (config.clients * config.rounds)
    accuracy = [(each.virtual_s, each.accuracy) for each in report.rounds]
    return Chapter(
        title="Train where the data lives",
        asked="\n".join(
            (
                "suffice federate run digits.yaml --out digits",
                "",
                "# digits.yaml",
                *(f"{name}: {getattr(config, name)}" for name in _SHOWN),
            )
        ),
        told=(
            f"{config.clients} simulated devices hold digits of a few kinds each, in a style of their own, and are"
            f" online when they like. In each of {config.rounds} rounds {config.num_participants} of them train for"
            f" {config.local_steps} steps and send what they learnt, never what they hold."
        ),
        left_out=f"{taking_part:.0%} of the device rounds; no picture left its device",
        sure=f"{last.accuracy:.0%} of 360 digits that no device has are read rightly",
        facts={
            "rounds": len(report.rounds),
            "accuracy": round(last.accuracy, 4),
            "virtual_s": round(last.virtual_s, 2),
        },
        figures=[
            Figure(line_chart("Accuracy", {"": accuracy}, "virtual seconds", (0.0, 1.0)), "By the devices' own clock.")
        ],
    )


_SHOWN = ("data_set", "clients", "num_participants", "rounds", "local_steps", "learning_rate", "gradient_policy")
