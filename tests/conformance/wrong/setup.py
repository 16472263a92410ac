"""Faults of the answer."""

import re

from .server import LEAVES_PUBLISHERS, Asked, Fault, Reply


class _WrongAnswer(Fault):
    """A server whose answers are changed."""

    def answer(self, text: str) -> str:
        raise NotImplementedError

    def response(self, asked: Asked, reply: Reply) -> None:
        if reply.status == 201:
            reply.body = self.answer(reply.body)


class AnswerIsNoSdp(_WrongAnswer):
    """The body of the 201 response is JSON."""

    breaks = ("post-answer",)
    settings = LEAVES_PUBLISHERS

    def answer(self, text: str) -> str:
        return '{"type": "answer"}'


class ForeignPayloadTypes(_WrongAnswer):
    """The answer has a payload type that was not offered."""

    breaks = ("post-answer",)
    settings = LEAVES_PUBLISHERS

    def answer(self, text: str) -> str:
        return re.sub(r"(m=audio .*)", r"\1 50", text)


class OtherMids(_WrongAnswer):
    """The answer numbers the sections in its own way."""

    breaks = ("post-answer",)
    tries = ("post-answer", "post-201", "4.4.1")

    def answer(self, text: str) -> str:
        text = text.replace("a=mid:0", "a=mid:zero")
        return re.sub(r"(a=group:BUNDLE) 0", r"\1 zero", text)


class SectionsAreMissing(_WrongAnswer):
    """The answer has the first section only."""

    breaks = ("post-answer",)
    tries = ("post-answer", "post-201")

    def answer(self, text: str) -> str:
        head, first, *_ = re.split(r"(?m)^(?=m=)", text)
        return head + first


class SetupIsActpass(_WrongAnswer):
    """The answer leaves the DTLS roles open."""

    breaks = ("post-answer",)
    tries = ("post-answer", "post-201")

    def answer(self, text: str) -> str:
        return text.replace("a=setup:passive", "a=setup:actpass")


class ForeignFingerprint(_WrongAnswer):
    """The answer has the fingerprint of another server."""

    breaks = ("post-connects",)
    tries = ("post-answer", "post-connects", "delete-200", "extensions-optional")

    def answer(self, text: str) -> str:
        return re.sub(
            r"(a=fingerprint:sha-256) \S+", r"\1 " + ":".join(["AB"] * 32), text
        )


class AnswerIsSendrecv(_WrongAnswer):
    """The answer is sendrecv."""

    breaks = ("answer-recvonly",)

    def answer(self, text: str) -> str:
        return text.replace("a=recvonly", "a=sendrecv")


class NoCandidates(_WrongAnswer):
    """The answer has no candidates, as if they could follow."""

    breaks = ("answer-candidates",)

    def answer(self, text: str) -> str:
        return re.sub(r"(?m)^a=(candidate|end-of-candidates).*\r\n", "", text)


class NotBundled(_WrongAnswer):
    """The answer has no BUNDLE group."""

    breaks = ("answer-bundle",)
    tries = ("4.4.1", "post-answer")

    def answer(self, text: str) -> str:
        return re.sub(r"a=group:BUNDLE.*\r\n", "", text)


class NoRtcpMux(_WrongAnswer):
    """The answer does not multiplex RTCP."""

    breaks = ("answer-rtcp-mux",)

    def answer(self, text: str) -> str:
        return text.replace("a=rtcp-mux\r\n", "")


class NoRtcpMuxOnly(_WrongAnswer):
    """The answer has rtcp-mux, and not rtcp-mux-only."""

    breaks = ("answer-rtcp-mux-only",)

    def answer(self, text: str) -> str:
        return text.replace("a=rtcp-mux-only\r\n", "")


class IceLite(_WrongAnswer):
    """The server says that it is ICE lite: a right one may be."""

    tries = ("4.3.2", "4.4.5", "consent-checks", "restart-replaces")
    absent = ("full-ice",)

    def answer(self, text: str) -> str:
        return text.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")


class WrongSimulcast(_WrongAnswer):
    """The answer sends simulcast, and has no rids."""

    breaks = ("simulcast-answer",)

    def answer(self, text: str) -> str:
        return re.sub(r"(m=video .*\r\n)", r"\1a=simulcast:send h;m;l\r\n", text)


class RightSimulcast(_WrongAnswer):
    """Simulcast is answered as it should be."""

    tries = ("4.8",)

    def answer(self, text: str) -> str:
        lines = ["a=rid:h recv", "a=rid:l recv", "a=simulcast:recv h;~l"]
        added = "".join(f"{line}\\r\\n" for line in lines)
        return re.sub(r"(m=video .*\r\n)", rf"\1{added}", text)
