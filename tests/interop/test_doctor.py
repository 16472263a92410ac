"""``whipbird doctor`` behind a NAT, and in front of a server behind one."""

import pytest

from .namespace import why_impossible
from .namespaces import PUBLIC, SERVER, URL, Internet
from .program import Program


def lines_of(doctor: Program) -> dict[str, str]:
    """The lines of a report, by check: the state, and what follows."""
    found: dict[str, str] = {}
    for line in doctor.output.splitlines():
        state, check, text = line.split(maxsplit=2)
        found[check] = f"{state} {text}"
    return found


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())
async def test_what_the_doctor_finds() -> None:
    async with Internet() as internet:
        server = await internet.start_server("--public-address", PUBLIC)
        laptop = await internet.laptop.whipbird("doctor", URL, "-W", "30")
        assert await laptop.ended() == 0, laptop.output
        found = lines_of(laptop)
        assert f"ok {PUBLIC} port 8080 answers" in found["UDP"]
        assert "ok 10.0.0.2 is seen at 198.18.0.10" in found["NAT"]
        assert found["Echo"].startswith("ok ")

        assert await server.stop() == 0

        server = await internet.start_server()
        wrong = await internet.laptop.whipbird("doctor", URL, "-W", "5")
        assert await wrong.ended() == 1, wrong.output
        found = lines_of(wrong)
        assert (
            f"failed the server offers private addresses only ({SERVER})"
            in (found["Addresses"])
        )
        assert "It needs the setting --public-address." in found["Addresses"]
        assert await server.stop() == 0
