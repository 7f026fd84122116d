"""The order of things: make ready, play, kill a worker half-way, let it drain, check everything.

1. Topics, catalogue, two workers, until they share the partitions.
2. Events go in, changes come out (`listening`); both are shown. Meanwhile names turn out to be one person (`linking`),
   and payers tell their prescribers something (`telling`). Half-way one worker is killed (`kill`).
3. The sender stops. The overlay's members leave by time alone; then the input's end is noted: what it asks for is due.
4. When everything before that end is applied, `judging` judges the published changes.
"""

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Final

from streams import embedded
from streams.demo import check, stage
from streams.demo.arrivals import quantile
from streams.demo.beside import beside
from streams.demo.figures import Figures
from streams.demo.judging import judged
from streams.demo.kill import Kill
from streams.demo.linking import Linker
from streams.demo.listening import Listener
from streams.demo.load import RATE_MAX, RATE_START, Load, LoadRate
from streams.demo.outcome import DemoOutcome
from streams.demo.show import Show, partitions
from streams.demo.sources import ALONE_S, DataSource
from streams.demo.suppress import Suppressor
from streams.demo.telling import Teller
from streams.operations.dump import write_catalogue
from streams.operations.errors import WrongInput
from streams.operations.naming import channels_of

DRAW_S: Final = 0.25
DRAIN_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    seconds: float | None
    """None: to the end of the events."""
    rate: float | None
    """Events a second at most; None: what the machine takes."""
    steady: bool
    """False: as fast as it goes."""
    seed: int


class Play:
    """One demo on running servers."""

    def __init__(self, options: Options, source: DataSource, servers: embedded.EmbeddedServers, show: Show) -> None:
        self._options = options
        self._source = source
        self._catalogue = servers.folder / "catalogue"
        self._show = show
        deployment, settings = stage.settings_for(servers)
        self.environment = stage.environment(deployment, settings)
        self.figures = Figures(stage.lanes(), seconds=options.seconds, total=source.total)
        self._servers = stage.open_servers(deployment, settings, source.catalogue)
        self._workers = stage.Workers(servers.folder, self.environment)
        suppression = source.suppression
        self._suppressor = self._linker = None
        if suppression is not None:
            self._suppressor = Suppressor(suppression, source.catalogue)
            self._linker = Linker(self._suppressor, suppression.segment, show)
        telling = source.telling
        self._teller = None if telling is None else Teller(telling.professionals, telling.segment, show)
        self._listener = Listener(
            self._servers, source, self.figures, show, self._suppressor, self._linker, self._teller
        )
        self._kill = Kill(self.figures, self._workers, show, settings.session_timeout_ms)

    async def run(self) -> DemoOutcome:
        """Do all of it and return the outcome. Raises OperationError; the caller calls `close` in any case."""
        await self._get_ready()
        try:
            drained = await self._play()
        finally:
            self._show.end()
        return await judged(self._servers, self._show, self.figures, drained, self._catalogue, self._options.seed)

    async def close(self) -> None:
        """End the workers and the connections."""
        self._show.end()
        self._workers.close()
        await self._servers.log.close()

    async def _get_ready(self) -> None:
        show, figures, source = self._show, self.figures, self._source
        show.doing("creating topics, putting the catalogue into force")
        await stage.provision(self._servers)
        write_catalogue(self._catalogue, source.catalogue, key_is_public=True)
        title = source.catalogue.segments[source.overlay].title or source.overlay
        count, channels = len(source.catalogue.approved), channels_of(source.catalogue)
        show.step(
            f"{stage.PARTITIONS} partitions; a catalogue of {count} segments is in force, one of them for the demo:"
        )
        show.step(f'    "{title}": so that time alone is seen at work')
        if channels:
            active = sum(each.status == "approved" for each in source.catalogue.activations.values())
            show.step(f"    with {active} activations over {len(channels)} channels: {', '.join(channels)}")
        self._workers.start(figures)
        show.step(f"starting {stage.WORKERS} workers, each `segue worker` in a process of its own")
        show.doing("waiting until they share the partitions")
        await self._workers.until_ready(figures)
        for crew in figures.crew:
            owned = partitions(lane.partition for lane in figures.lanes if lane.owner == crew.number)
            show.step(f"worker {crew.number} (process {crew.pid}) has {owned}")
        for said in source.said:
            show.step(said)

    async def _play(self) -> list[int]:
        """Play, and return the offsets of the input up to which changes are due."""
        figures, options, listener = self.figures, self._options, self._listener
        pace = (
            LoadRate(min(RATE_START, options.rate or RATE_START), options.rate or RATE_MAX) if options.steady else None
        )
        load = Load(self._servers.connection, self._servers.deployment, self._source.events, pace)
        figures.phase = "Playing"
        async with (
            listener.reading() as read,
            beside(
                read,
                self._workers.look_on(figures),
                listener.choose(),
                listener.explain(),
                self._conduct(load),
                *(
                    each.run(load, figures)
                    for each in (self._suppressor, self._linker, self._teller)
                    if each is not None
                ),
            ) as until_done,
        ):
            self._show.begin(figures)
            await until_done(load.run(figures))
            figures.played_s, figures.rate = figures.playing_for_s(), 0.0
            drained: list[int] = await until_done(self._drain())
            return drained

    async def _conduct(self, load: Load) -> None:
        """Draw, keep the pace, kill half-way, and stop the load when its time is over."""
        figures = self.figures
        judged_s = monotonic()
        while True:
            figures.tick()
            self._show.update(figures)
            self._kill.look()
            calm = figures.ready and (figures.trouble is None or figures.trouble.over_s is not None)
            if load.pace is not None and calm and monotonic() - judged_s >= 1.0:
                load.pace.judge(figures.lag, quantile(figures.arrivals.recent_ms(), 0.5) or 0.0)
                judged_s = monotonic()
            if figures.seconds is not None and figures.playing_for_s() >= figures.seconds:
                load.stop.set()
            await asyncio.sleep(DRAW_S)

    async def _drain(self) -> list[int]:
        figures, servers = self.figures, self._servers
        figures.phase = "No more events: the last leave by time alone"
        await asyncio.sleep(ALONE_S + 1)
        until = monotonic() + DRAIN_S
        while not figures.ready:
            await _wait(until, "the partitions of the killed worker were not taken over")
        due = await check.ends(servers)
        figures.phase = "Draining"
        while any(lane.applied < end for lane, end in zip(figures.lanes, due, strict=True)):
            await _wait(until, "the workers did not catch up")
        self._kill.follow()
        return due


async def _wait(until: float, what: str) -> None:
    if monotonic() > until:
        raise WrongInput(f"{what} within {DRAIN_S:.0f} s")
    await asyncio.sleep(0.1)
