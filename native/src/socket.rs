//! UDP sockets that many datagrams are sent from with one system call.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libc::{c_uint, c_void, cmsghdr, iovec, mmsghdr, sockaddr_in, sockaddr_in6};

/// linux/udp.h: the kernel cuts a message into datagrams of a size.
const SOL_UDP: i32 = 17;
const UDP_SEGMENT: i32 = 103;
/// Octets, and datagrams, that fit into one message.
pub const MAX_MESSAGE: usize = 65_000;
pub const MAX_SEGMENTS: usize = 64;

const CLOSED: RawFd = -1;

/// A UDP socket of the process; its owner closes it.
pub struct Socket {
    descriptor: AtomicI32,
    /// Whether the network takes nothing now.
    pub is_blocked: AtomicBool,
    /// Whether messages may be cut into datagrams.
    pub segments: AtomicBool,
}

impl Socket {
    pub fn new(descriptor: RawFd, segments: bool) -> Self {
        Self {
            descriptor: AtomicI32::new(descriptor),
            is_blocked: AtomicBool::new(false),
            segments: AtomicBool::new(segments),
        }
    }

    /// Sends nothing more: the number of the descriptor may soon be another file's.
    pub fn close(&self) {
        self.descriptor.store(CLOSED, Ordering::Relaxed);
    }

    /// Whether something can be sent.
    pub fn is_ready(&self) -> bool {
        self.descriptor.load(Ordering::Relaxed) != CLOSED
            && !self.is_blocked.load(Ordering::Relaxed)
    }

    /// Sends messages, the first ones of which the kernel takes.
    ///
    /// Returns how many were sent: at least one, unless there is an error.
    pub fn send(&self, buffer: &[u8], messages: &[Message]) -> io::Result<usize> {
        let mut parts: Vec<Part> = messages.iter().map(|m| Part::new(buffer, m)).collect();
        let mut headers: Vec<mmsghdr> = parts.iter_mut().map(Part::header).collect();
        // SAFETY: each header points to its part's address, control message and vector,
        // and each vector to octets of the buffer. `parts` is neither moved nor dropped
        // before the call returns, and the kernel keeps no pointer beyond it. The call
        // reads all of these, and writes the lengths in `headers` alone.
        let sent = unsafe {
            libc::sendmmsg(
                self.descriptor.load(Ordering::Relaxed),
                headers.as_mut_ptr(),
                headers.len() as c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(sent as usize)
        }
    }
}

/// Datagrams for one destination, one behind the other in a buffer.
#[derive(Clone, Copy)]
pub struct Message {
    pub start: usize,
    pub end: usize,
    /// Octets of each datagram but the last one; 0 for a single datagram.
    pub segment: usize,
    pub address: SocketAddr,
    /// Whose it is: the caller's number.
    pub owner: usize,
}

/// A control message, laid out as cmsg(3) says.
#[repr(C)]
struct Control {
    header: cmsghdr,
    segment: u16,
}

const CONTROL_LENGTH: usize = size_of::<cmsghdr>() + size_of::<u16>();

#[repr(C)]
union Name {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

/// What the header of one message points to.
struct Part {
    name: Name,
    name_length: u32,
    vector: iovec,
    control: Control,
    has_control: bool,
}

impl Part {
    fn new(buffer: &[u8], message: &Message) -> Self {
        let octets = &buffer[message.start..message.end];
        let (name, name_length) = name_of(message.address);
        Self {
            name,
            name_length,
            vector: iovec {
                // The kernel does not write there.
                iov_base: octets.as_ptr() as *mut c_void,
                iov_len: octets.len(),
            },
            control: Control {
                header: cmsghdr {
                    cmsg_len: CONTROL_LENGTH as _,
                    cmsg_level: SOL_UDP,
                    cmsg_type: UDP_SEGMENT,
                    #[cfg(target_env = "musl")]
                    __pad1: 0,
                },
                segment: message.segment as u16,
            },
            has_control: message.segment != 0,
        }
    }

    fn header(&mut self) -> mmsghdr {
        // SAFETY: a header is integers and pointers, for which zeros are valid. Its
        // padding differs between C libraries, so that it cannot be written out.
        let mut header: mmsghdr = unsafe { zeroed() };
        header.msg_hdr.msg_name = (&raw mut self.name).cast();
        header.msg_hdr.msg_namelen = self.name_length;
        header.msg_hdr.msg_iov = &raw mut self.vector;
        header.msg_hdr.msg_iovlen = 1;
        if self.has_control {
            header.msg_hdr.msg_control = (&raw mut self.control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        } else {
            header.msg_hdr.msg_control = null_mut();
        }
        header
    }
}

fn name_of(address: SocketAddr) -> (Name, u32) {
    match address {
        SocketAddr::V4(address) => {
            let v4 = sockaddr_in {
                sin_family: libc::AF_INET as _,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(address.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            (Name { v4 }, size_of::<sockaddr_in>() as u32)
        }
        SocketAddr::V6(address) => {
            let v6 = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as _,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            (Name { v6 }, size_of::<sockaddr_in6>() as u32)
        }
    }
}
