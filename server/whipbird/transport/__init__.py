"""WebRTC's transport without I/O: ICE, DTLS, SRTP, SCTP and data channels.

Nothing here has a socket, a thread or a clock. Datagrams and the time are passed in
(``receive``, ``handle_timeout``, one ``deadline``); what comes out goes to typed sinks.
"""
