"""Faults in judging offers."""

import re

from .server import Asked, Fault, Reply


class _Offers(Fault):
    """A server that takes some offers for others, or refuses them in a wrong way."""

    def request(self, asked: Asked) -> Reply | None:
        if asked.method == "POST" and asked.body.startswith("v=0"):
            return self.offer(asked)
        return None

    def offer(self, asked: Asked) -> Reply | None:
        raise NotImplementedError


class RecvonlyIsTaken(_Offers):
    """An offer to receive is taken, as if it were one to send."""

    breaks = ("offer-sends-nothing",)

    def offer(self, asked: Asked) -> Reply | None:
        asked.body = asked.body.replace("a=recvonly", "a=sendonly")
        return None


class SendrecvIsRefused(_Offers):
    """An offer to send and receive is refused."""

    breaks = ("offer-sendrecv",)

    def offer(self, asked: Asked) -> Reply | None:
        return Reply(422) if "a=sendrecv" in asked.body else None


class BundleOnlyIsRefused(_Offers):
    """Port 0 is taken for a section that is disabled."""

    breaks = ("offer-bundle-only",)

    def offer(self, asked: Asked) -> Reply | None:
        return Reply(422) if "a=bundle-only" in asked.body else None


class BundleIsGuessed(_Offers):
    """Sections that are not bundled are bundled all the same."""

    breaks = ("offer-unbundled",)

    def offer(self, asked: Asked) -> Reply | None:
        if "a=group:BUNDLE" not in asked.body and "m=video" in asked.body:
            asked.body = asked.body.replace(
                "t=0 0\r\n", "t=0 0\r\na=group:BUNDLE 0 1\r\n"
            )
        return None


class RtcpMuxIsGuessed(_Offers):
    """RTCP is multiplexed whether the offer says so or not."""

    breaks = ("offer-no-rtcp-mux",)

    def offer(self, asked: Asked) -> Reply | None:
        if "a=rtcp-mux" not in asked.body:
            asked.body = asked.body.replace("a=msid", "a=rtcp-mux\r\na=msid")
        return None


class SecondStreamIs403(_Offers):
    """Two MediaStreams are refused, with a status that says something else."""

    breaks = ("offer-two-streams",)

    def response(self, asked: Asked, reply: Reply) -> None:
        if len(_streams(asked.body)) > 1 and reply.status == 422:
            reply.status = 403

    def offer(self, asked: Asked) -> Reply | None:
        return None


class StreamsAreMerged(_Offers):
    """Two MediaStreams are taken: the endpoint says that it supports them."""

    tries = ("4.4.2",)
    absent = ("offer-two-streams",)

    def offer(self, asked: Asked) -> Reply | None:
        asked.body = re.sub(r"a=msid:\S+", "a=msid:one", asked.body)
        return None


class SecondTrackIsRejected(_Offers):
    """Of two video tracks one is taken, and the other is rejected."""

    breaks = ("offer-two-tracks",)

    def offer(self, asked: Asked) -> Reply | None:
        head, *sections = re.split(r"(?m)^(?=m=)", asked.body)
        if len(sections) == 3 and not sections[2].startswith("m=application"):
            head = head.replace("BUNDLE 0 1 2", "BUNDLE 0 1")
            asked.body = head + sections[0] + sections[1]
            asked.headers["X-Rejected"] = sections[2].partition("\r\n")[0]
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        rejected = asked.headers.get("X-Rejected")
        if rejected and reply.status == 201:
            reply.body += f"{rejected.replace(' 9 ', ' 0 ')}\r\na=mid:2\r\n"


class NothingOfferedIs500(_Offers):
    """An offer without sections makes the server fail."""

    breaks = ("offer-no-track",)

    def offer(self, asked: Asked) -> Reply | None:
        return None if "m=" in asked.body else Reply(500)


class PartialAnswers(_Offers):
    """A section whose codecs are unknown is rejected, the others are taken."""

    breaks = ("no-partial-answer",)

    def offer(self, asked: Asked) -> Reply | None:
        asked.body = asked.body.replace("x-whipbird-none", "VP8")
        asked.headers["X-Impossible"] = str("a=rtpmap:120 " in asked.body)
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        if asked.headers.get("X-Impossible") == "True" and reply.status == 201:
            reply.body = re.sub(r"m=video [0-9]+", "m=video 0", reply.body)


class ChannelsAreRejected(_Offers):
    """Data channels are rejected, and the rest is taken; the checker does without."""

    tries = ("4.2", "4.3.3", "4.9")

    def offer(self, asked: Asked) -> Reply | None:
        head, *sections = re.split(r"(?m)^(?=m=)", asked.body)
        if sections and sections[-1].startswith("m=application"):
            mid = len(sections) - 1
            head = head.replace(f" {mid}\r\n", "\r\n", 1)
            asked.body = head + "".join(sections[:-1])
            asked.headers["X-Rejected"] = str(mid)
        return None

    def response(self, asked: Asked, reply: Reply) -> None:
        mid = asked.headers.get("X-Rejected")
        if mid and reply.status == 201:
            line = "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
            reply.body += f"{line}\r\na=mid:{mid}\r\n"


class ActiveIs403(_Offers):
    """The role of the DTLS client is refused, with the wrong status."""

    breaks = ("setup-active",)

    def offer(self, asked: Asked) -> Reply | None:
        return Reply(403) if "a=setup:active" in asked.body else None


class ActiveIsRefused(_Offers):
    """The role of the DTLS client is refused, as a server may."""

    tries = ("4.4.4",)

    def offer(self, asked: Asked) -> Reply | None:
        return Reply(422) if "a=setup:active" in asked.body else None


class AudioOnly(_Offers):
    """Only audio is taken; rules about video find nothing to try."""

    tries = ("4.2", "4.4")

    def offer(self, asked: Asked) -> Reply | None:
        other = "m=video" in asked.body or "m=application" in asked.body
        return Reply(422) if other else None


def _streams(offer: str) -> set[str]:
    return set(re.findall(r"a=msid:(\S+)", offer))
