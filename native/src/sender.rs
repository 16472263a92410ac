//! The sender's side of SRTP and SRTCP (RFC 3711, RFC 7714).

use hmac::Mac;
use ring::aead::{Aad, Nonce};

use crate::keys::{apply_counter, derive, Cipher};

/// How far behind the newest packet of a stream one may be that is sent again.
const WINDOW: u64 = 1024;
/// RFC 3711 section 9.2: as many SRTCP packets may have one key.
const MAX_RTCP_INDEX: u32 = 0x7FFF_FFFF;
const ENCRYPTED: u32 = 0x8000_0000;

const RTP_HEADER: usize = 12;
const RTCP_HEADER: usize = 8;
const SEQUENCE_MEDIAN: u64 = 1 << 15;

/// Why a packet is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its header is longer than the packet.
    Malformed,
    /// It is further behind the newest packet than is kept track of.
    TooOld,
    /// The key must not be used for another packet.
    KeyExpired,
}

/// One stream of a sender.
struct Stream {
    ssrc: u32,
    /// Of the newest packet: the rollover counter, and the sequence number.
    newest: u64,
    rtcp_index: u32,
}

impl Stream {
    /// The index of a packet with a sequence number (RFC 3711 section 3.3.1).
    fn index_of(&self, sequence: u16) -> u64 {
        let sequence = u64::from(sequence);
        if self.newest <= SEQUENCE_MEDIAN {
            return sequence;
        }
        let (rollover, last) = (self.newest >> 16, self.newest & 0xFFFF);
        let rollover = if last < SEQUENCE_MEDIAN {
            if sequence > last + SEQUENCE_MEDIAN {
                // There is none before the first one: newest is more than the median.
                rollover.saturating_sub(1)
            } else {
                rollover
            }
        } else if last - SEQUENCE_MEDIAN > sequence {
            rollover + 1
        } else {
            rollover
        };
        rollover << 16 | sequence
    }
}

/// Encrypts what one side of a connection sends.
///
/// It owns the numbers that must not repeat. A packet that is sent again must have the
/// same octets.
pub struct Sender {
    rtp: Cipher,
    rtcp: Cipher,
    /// A viewer has a few: they are searched from the first on.
    streams: Vec<Stream>,
}

impl Sender {
    /// Returns None when no profile has such lengths of key and salt.
    pub fn new(key: &[u8], salt: &[u8]) -> Option<Self> {
        let (rtp, rtcp) = derive(key, salt)?;
        Some(Self {
            rtp,
            rtcp,
            streams: Vec::new(),
        })
    }

    /// Encrypts the RTP packet at the end of a buffer, from `start` on, and appends the tag.
    ///
    /// What is refused is left as it was.
    pub fn protect_rtp(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Refusal> {
        let packet = &buffer[start..];
        let offset = payload_offset(packet).ok_or(Refusal::Malformed)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = [packet[8], packet[9], packet[10], packet[11]];
        let stream = stream(&mut self.streams, u32::from_be_bytes(ssrc));
        let index = stream.index_of(sequence);
        if index > stream.newest {
            stream.newest = index;
        } else if stream.newest - index >= WINDOW {
            return Err(Refusal::TooOld);
        }
        let rollover = ((index >> 16) as u32).to_be_bytes();
        match &self.rtp {
            Cipher::Gcm { key, salt } => {
                // RFC 7714 section 8.1
                let mut nonce = [0; 12];
                nonce[2..6].copy_from_slice(&ssrc);
                nonce[6..10].copy_from_slice(&rollover);
                nonce[10..12].copy_from_slice(&sequence.to_be_bytes());
                xor(&mut nonce, salt);
                let (header, payload) = buffer[start..].split_at_mut(offset);
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(header), payload)
                    .map_err(|_| Refusal::Malformed)?;
                buffer.extend_from_slice(tag.as_ref());
            }
            Cipher::Counter { key, salt, mac } => {
                let block = counter_block(salt, &ssrc, index);
                apply_counter(key, &block, &mut buffer[start + offset..]);
                let mut mac = (**mac).clone();
                mac.update(&buffer[start..]);
                mac.update(&rollover);
                buffer.extend_from_slice(&mac.finalize().into_bytes()[..self.rtp.tag_length()]);
            }
        }
        Ok(())
    }

    /// Encrypts the RTCP packet, compound or not, at the end of a buffer, from `start` on,
    /// and appends the tag and the index.
    ///
    /// What is refused is left as it was.
    pub fn protect_rtcp(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Refusal> {
        let packet = &buffer[start..];
        if packet.len() < RTCP_HEADER {
            return Err(Refusal::Malformed);
        }
        let ssrc = [packet[4], packet[5], packet[6], packet[7]];
        let stream = stream(&mut self.streams, u32::from_be_bytes(ssrc));
        if stream.rtcp_index >= MAX_RTCP_INDEX {
            return Err(Refusal::KeyExpired);
        }
        stream.rtcp_index += 1;
        let index = stream.rtcp_index;
        let trailer = (ENCRYPTED | index).to_be_bytes();
        match &self.rtcp {
            Cipher::Gcm { key, salt } => {
                // RFC 7714 sections 9.1 and 9.2
                let mut nonce = [0; 12];
                nonce[2..6].copy_from_slice(&ssrc);
                nonce[8..12].copy_from_slice(&index.to_be_bytes());
                xor(&mut nonce, salt);
                let mut authenticated = [0; RTCP_HEADER + 4];
                authenticated[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
                authenticated[RTCP_HEADER..].copy_from_slice(&trailer);
                let tag = key
                    .seal_in_place_separate_tag(
                        Nonce::assume_unique_for_key(nonce),
                        Aad::from(authenticated),
                        &mut buffer[start + RTCP_HEADER..],
                    )
                    .map_err(|_| Refusal::Malformed)?;
                buffer.extend_from_slice(tag.as_ref());
                buffer.extend_from_slice(&trailer);
            }
            Cipher::Counter { key, salt, mac } => {
                let block = counter_block(salt, &ssrc, u64::from(index));
                apply_counter(key, &block, &mut buffer[start + RTCP_HEADER..]);
                buffer.extend_from_slice(&trailer);
                let mut mac = (**mac).clone();
                mac.update(&buffer[start..]);
                buffer.extend_from_slice(&mac.finalize().into_bytes()[..self.rtcp.tag_length()]);
            }
        }
        Ok(())
    }
}

fn stream(streams: &mut Vec<Stream>, ssrc: u32) -> &mut Stream {
    let found = streams.iter().position(|stream| stream.ssrc == ssrc);
    let position = found.unwrap_or_else(|| {
        streams.push(Stream {
            ssrc,
            newest: 0,
            rtcp_index: 0,
        });
        streams.len() - 1
    });
    &mut streams[position]
}

/// Where the payload of an RTP packet begins; None if that is beyond its end.
fn payload_offset(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut offset = RTP_HEADER + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        let words = packet.get(offset + 2..offset + 4)?;
        offset += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (offset <= packet.len()).then_some(offset)
}

/// The initial block of counter mode (RFC 3711 section 4.1.1).
fn counter_block(salt: &[u8; 14], ssrc: &[u8; 4], index: u64) -> [u8; 16] {
    let mut block = [0; 16];
    block[4..8].copy_from_slice(ssrc);
    block[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    xor(&mut block[..14], salt);
    block
}

fn xor(data: &mut [u8], with: &[u8]) {
    for (octet, other) in data.iter_mut().zip(with) {
        *octet ^= other;
    }
}
