"""The check that an apply puts into force what its preview showed, over what the preview compared it with."""

from collections.abc import Sequence

from streams.operations.applying.situation import Situation
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import WrongInput
from streams.operations.preview_name import NOTHING_IN_FORCE, read_name, short


class PreviewOutdated(WrongInput):
    """The catalogue in force, or the new one, is not what the preview compared."""


async def check(situation: Situation) -> Sequence[ApplyWarning]:
    """Refuse where the preview named by `--preview` compared other catalogues. Raises PreviewOutdated, WrongRequest.

    A catalogue that is in force already, as the preview showed it, passes: the apply before this one did it.
    """
    if situation.options.preview is None:
        return ()
    name = read_name(situation.options.preview)
    in_force = short(None if situation.in_force is None else situation.in_force.hash)
    if name.after != short(situation.catalogue.hash):
        raise PreviewOutdated(
            f"the preview showed catalogue {name.after}, and this one is {short(situation.catalogue.hash)}:"
            " run `segue preview` on this folder"
        )
    done = in_force == name.after and not situation.options.again
    if name.before != in_force and not done:
        raise PreviewOutdated(
            f"the preview compared with {_said(name.before)}, and {_said(in_force)} is in force now:"
            " run `segue preview` again"
        )
    return ()


def _said(digest: str) -> str:
    return "no catalogue" if digest == NOTHING_IN_FORCE else f"catalogue {digest}"
