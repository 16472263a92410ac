//! Where a viewer's packets go: its SRTP context, a socket and an address.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyConnectionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::batch::Unsent;
use crate::sender::{Refusal, Sender};
use crate::socket;

/// Locks what is never held while something may panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A UDP socket for the fan-out. Its owner is Python's, which closes the descriptor.
#[pyclass(frozen, module = "whipbird_native")]
pub struct Socket {
    pub inner: Arc<socket::Socket>,
    unsent: Mutex<Option<Py<PyAny>>>,
}

#[pymethods]
impl Socket {
    /// `unsent` takes the datagrams that the kernel did not take, their destination, and
    /// the number of the error.
    #[new]
    fn new(descriptor: i32, segments: bool, unsent: Py<PyAny>) -> Self {
        Self {
            inner: Arc::new(socket::Socket::new(descriptor, segments)),
            unsent: Mutex::new(Some(unsent)),
        }
    }

    /// Whether the network takes nothing now.
    #[getter]
    fn is_blocked(&self) -> bool {
        self.inner.is_blocked.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_is_blocked(&self, value: bool) {
        self.inner.is_blocked.store(value, Ordering::Relaxed);
    }

    /// Whether the kernel cuts messages into datagrams.
    #[getter]
    fn segments(&self) -> bool {
        self.inner.segments.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_segments(&self, value: bool) {
        self.inner.segments.store(value, Ordering::Relaxed);
    }

    /// Send nothing more; before the descriptor is closed.
    fn close(&self) {
        self.inner.close();
        lock(&self.unsent).take();
    }
}

/// Encrypts what one side of a DTLS association sends (RFC 3711, RFC 5764, RFC 7714).
#[pyclass(frozen, module = "whipbird_native")]
pub struct SrtpSender {
    inner: Arc<Mutex<Sender>>,
}

#[pymethods]
impl SrtpSender {
    #[new]
    fn new(key: &[u8], salt: &[u8]) -> PyResult<Self> {
        match Sender::new(key, salt) {
            Some(sender) => Ok(Self {
                inner: Arc::new(Mutex::new(sender)),
            }),
            None => Err(PyValueError::new_err("there is no such SRTP profile")),
        }
    }

    /// Encrypt an RTP packet.
    fn protect_rtp<'py>(&self, py: Python<'py>, packet: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut data = Vec::with_capacity(packet.len() + crate::keys::MAX_TAG);
        data.extend_from_slice(packet);
        lock(&self.inner)
            .protect_rtp(&mut data, 0)
            .map_err(refused)?;
        Ok(PyBytes::new(py, &data))
    }

    /// Encrypt an RTCP packet, compound or not.
    fn protect_rtcp<'py>(&self, py: Python<'py>, packet: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut data = Vec::with_capacity(packet.len() + 4 + crate::keys::MAX_TAG);
        data.extend_from_slice(packet);
        lock(&self.inner)
            .protect_rtcp(&mut data, 0)
            .map_err(refused)?;
        Ok(PyBytes::new(py, &data))
    }
}

fn refused(refusal: Refusal) -> PyErr {
    PyConnectionError::new_err(match refusal {
        Refusal::Malformed => "the packet is shorter than its header",
        Refusal::TooOld => "the packet is too old to be sent again",
        Refusal::KeyExpired => "the key has been used for too many packets",
    })
}

/// What the fan-out needs to know of a viewer's connection.
pub struct Target {
    pub sender: Arc<Mutex<Sender>>,
    pub socket: Arc<socket::Socket>,
    pub address: SocketAddr,
    pub counts: Arc<Counts>,
    pub owner: Py<Socket>,
    pub remote: Py<PyAny>,
}

impl Target {
    /// Hands datagrams back to the owner of the socket; they are lost once it has closed
    /// that.
    pub fn hand_back(&self, py: Python<'_>, unsent: Unsent) -> PyResult<()> {
        let take = lock(&self.owner.get().unsent)
            .as_ref()
            .map(|found| found.clone_ref(py));
        if let Some(take) = take {
            let datagrams = unsent.datagrams.iter().map(|d| PyBytes::new(py, d));
            let datagrams = PyList::new(py, datagrams)?;
            take.call1(py, (datagrams, &self.remote, unsent.error))?;
        }
        Ok(())
    }
}

/// What has been sent.
#[derive(Default)]
pub struct Counts {
    pub packets: AtomicU64,
    pub octets: AtomicU64,
}

/// Where the packets of one viewer go; nowhere, until `aim` is called.
#[pyclass(frozen, module = "whipbird_native")]
#[derive(Default)]
pub struct Outlet {
    target: Mutex<Option<Arc<Target>>>,
    counts: Arc<Counts>,
}

#[pymethods]
impl Outlet {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Let packets go to an address. Return whether it is one that they can go to.
    fn aim(
        &self,
        sender: &Bound<'_, SrtpSender>,
        socket: Bound<'_, Socket>,
        remote: Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let (host, port): (String, u16) = (
            remote.get_item(0)?.extract()?,
            remote.get_item(1)?.extract()?,
        );
        let target = host.parse::<IpAddr>().ok().map(|ip| {
            Arc::new(Target {
                sender: sender.get().inner.clone(),
                socket: socket.get().inner.clone(),
                address: SocketAddr::new(ip, port),
                counts: self.counts.clone(),
                owner: socket.clone().unbind(),
                remote: remote.unbind(),
            })
        });
        let is_aimed = target.is_some();
        *lock(&self.target) = target;
        Ok(is_aimed)
    }

    /// Let packets go nowhere.
    fn clear(&self) {
        lock(&self.target).take();
    }

    /// Packets that the fan-out has sent.
    #[getter]
    fn packets(&self) -> u64 {
        self.counts.packets.load(Ordering::Relaxed)
    }

    /// Octets of these.
    #[getter]
    fn octets(&self) -> u64 {
        self.counts.octets.load(Ordering::Relaxed)
    }
}

impl Outlet {
    /// Where packets go, if they can be sent now.
    pub fn target(&self) -> Option<Arc<Target>> {
        lock(&self.target)
            .as_ref()
            .filter(|target| target.socket.is_ready())
            .cloned()
    }
}
