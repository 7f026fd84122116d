"""The catalogue in force as the doctor looks at it: it is there, it loads here, its assignment key is known here."""

from rules.ground.words import count
from streams.operations.definitions import expect_key
from streams.operations.doctor.checked import Checked
from streams.operations.errors import AssignmentKeyWrong, CatalogueUnusable, NoCatalogue, TopicMissing
from streams.operations.servers import Servers


async def check_catalogue(servers: Servers) -> list[Checked]:
    """See that a catalogue is in force, that it loads here, and that its assignment key is known here.

    Raises NotReachable.
    """
    name = "catalogue in force"
    try:
        catalogue = await servers.catalogue()
    except (NoCatalogue, TopicMissing):
        return [Checked("catalogue", name, "advice", "there is none, so nobody is in any segment", "run `segue apply`")]
    except CatalogueUnusable as wrong:
        return [Checked("catalogue", name, "wrong", "it does not load here", str(wrong))]
    segments, activations = len(catalogue.approved), len(catalogue.approved_activations)
    said = f"{count(segments, 'segment')} and {count(activations, 'activation')} approved"
    found = [Checked("catalogue", name, "right", f"it is {catalogue.hash[:12]}: {said}")]
    try:
        expect_key(catalogue)
    except AssignmentKeyWrong as wrong:
        found.append(Checked("catalogue", "assignment key", "wrong", str(wrong)))
    return found
