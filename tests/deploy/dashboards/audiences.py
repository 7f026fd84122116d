"""The dashboard of audiences and channels: how large they are, what changes, and whether platforms hear of it."""

from typing import Final

from tests.deploy.dashboards.flow import JOB, NAMESPACE, quantiles
from tests.deploy.dashboards.panels import Dashboard, Panel, Query, Variable

CHANNEL: Final = Variable("channel", "segue_activation_active", "Channels of activations.")
SEGMENT: Final = Variable("segment", "segue_segment_members", "Segments; restricted ones are told only if asked for.")

_AUDIENCES = (
    Panel(
        "Members now",
        "Members of each segment, as last written to Redis.",
        "short",
        (Query('sum by (segment) (segue_segment_members{@,segment=~"$segment"})', "{{segment}}"),),
        "bargauge",
    ),
    Panel(
        "Members over time",
        "A step: a cut, or a source that sent much at once.",
        "short",
        (Query('sum by (segment) (segue_segment_members{@,segment=~"$segment"})', "{{segment}}"),),
        width=16,
    ),
    Panel(
        "Entries and exits",
        "Membership changes a second whose transaction was committed.",
        "cps",
        (
            Query(
                'sum by (change) (rate(segue_segment_changes_total{@,segment=~"$segment"}[$__rate_interval]))',
                "{{change}}",
            ),
        ),
    ),
    Panel(
        "Why members enter and leave",
        "Membership changes a second by their reason: a rule, a timer, a new definition, an erasure.",
        "cps",
        (
            Query(
                'sum by (change, reason) (rate(segue_segment_changes_total{@,segment=~"$segment"}[$__rate_interval]))',
                "{{change}}: {{reason}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "Segments that move most",
        "Changes within an hour: the ten segments with most.",
        "short",
        (
            Query(
                'topk(10, sum by (segment) (increase(segue_segment_changes_total{@,segment=~"$segment"}[1h])))',
                "{{segment}}",
            ),
        ),
        "bargauge",
    ),
)
_CHANNELS = (
    Panel(
        "Who may be contacted now",
        "Profiles that a channel may contact, for each activation.",
        "short",
        (
            Query(
                'sum by (channel, activation) (segue_activation_active{@,channel=~"$channel"})',
                "{{channel}}: {{activation}}",
            ),
        ),
        "bargauge",
    ),
    Panel(
        "Contacts over time",
        "Profiles that each channel may contact, over all its activations. One profile counts once an activation.",
        "short",
        (Query('sum by (channel) (segue_activation_active{@,channel=~"$channel"})', "{{channel}}"),),
    ),
    Panel(
        "Why contacts end",
        "Deactivations a second by their reason. Much consent withdrawn at once: ask the source.",
        "cps",
        (
            Query(
                'sum by (channel, reason) (rate(segue_deactivations_total{@,channel=~"$channel"}[$__rate_interval]))',
                "{{channel}}: {{reason}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "How fast somebody is withdrawn",
        "From the instant at which somebody must not be contacted any more to the commit of that change.",
        "s",
        quantiles("segue_suppression_latency_seconds"),
        steps=(10, 30),
        width=12,
    ),
    Panel(
        "Withdrawn too late",
        "Share of withdrawals that took longer than half a minute.",
        "percentunit",
        (
            Query(
                '1 - sum(rate(segue_suppression_latency_seconds_bucket{@,le=~"30([.]0)?"}[10m]))'
                " / sum(rate(segue_suppression_latency_seconds_count{@}[10m]))",
                "later than 30 s",
            ),
        ),
        steps=(0.001, 0.01),
        width=12,
    ),
)
_DELIVERY = (
    Panel(
        "Delivery lag in seconds",
        "Age of the oldest change that is not delivered. Line: where SegueDeliveryLag begins.",
        "s",
        (Query('max by (channel) (segue_delivery_lag_seconds{@,channel=~"$channel"})', "{{channel}}"),),
        steps=(60, 300),
    ),
    Panel(
        "Delivery lag in changes",
        "Changes that are not delivered yet.",
        "short",
        (Query('sum by (channel) (segue_delivery_lag_changes{@,channel=~"$channel"})', "{{channel}}"),),
    ),
    Panel(
        "Changes delivered, refused, lost",
        "Changes answered for, a second. Refused: among the channel's dead letters. Lost: Kafka deleted them first.",
        "cps",
        (
            Query(
                "sum by (channel, outcome)"
                ' (rate(segue_delivery_changes_total{@,channel=~"$channel"}[$__rate_interval]))',
                "{{channel}}: {{outcome}}",
            ),
        ),
    ),
    Panel(
        "Requests by status",
        "HTTP requests a second by the status of the answer; none: no answer came.",
        "reqps",
        (
            Query(
                'sum by (channel, code) (rate(segue_delivery_requests_total{@,channel=~"$channel"}[$__rate_interval]))',
                "{{channel}}: {{code}}",
            ),
        ),
        stacked=True,
        width=12,
    ),
    Panel(
        "Requests sent again",
        "A second. A platform that asks to wait, or that breaks.",
        "reqps",
        (
            Query(
                'sum by (channel) (rate(segue_delivery_retries_total{@,channel=~"$channel"}[$__rate_interval]))',
                "{{channel}}",
            ),
        ),
        width=12,
    ),
)
_PERSONS = (
    Panel(
        "Effects of links and erasures",
        "Records a second that one profile of a person sends to another, and that are taken there.",
        "cps",
        (
            Query(
                "sum by (type, outcome) (rate(segue_effects_total{@}[$__rate_interval]))",
                "{{type}}: {{outcome}}",
            ),
            Query("sum(rate(segue_effects_dropped_total{@}[$__rate_interval]))", "dropped: a ring"),
        ),
    ),
    Panel(
        "Odd links",
        "Links within an hour that lead to an erased subject, lead in a ring, or give a person more than 50 subjects.",
        "short",
        (Query("sum by (what) (increase(segue_links_odd_total{@}[1h]))", "{{what}}"),),
        steps=(1, 10),
    ),
    Panel(
        "Records of erased subjects",
        "Facts and links a second that are dropped because their subject was erased: a source goes on sending.",
        "cps",
        (Query("sum(rate(segue_erased_records_total{@}[$__rate_interval]))", "dropped"),),
    ),
)
AUDIENCES: Final = Dashboard(
    "segue-audiences",
    "Segue: audiences and channels",
    "How large are audiences, what changes, who may be contacted, and do platforms hear of it?",
    (JOB, NAMESPACE, SEGMENT, CHANNEL),
    (("Audiences", _AUDIENCES), ("Channels", _CHANNELS), ("Persons", _PERSONS), ("Delivery", _DELIVERY)),
)
