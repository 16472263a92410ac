// A WHIP and WHEP server on pion, as its documentation has it: it echoes the messages
// of data channels, and forwards audio and video to viewers. It is measured beside
// Whipbird: `pion --port 8081`.
package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Octets of the largest packet that is read.
const maxPacket = 1500

// The tracks of a stream, by kind.
type stream map[webrtc.RTPCodecType]*webrtc.TrackLocalStaticRTP

type server struct {
	api     *webrtc.API
	mutex   sync.Mutex
	peers   map[string]*webrtc.PeerConnection
	streams map[string]stream
}

func main() {
	port := flag.Int("port", 8081, "where HTTP listens")
	flag.Parse()
	var settings webrtc.SettingEngine
	// Clients are on this machine, too.
	settings.SetIncludeLoopbackCandidate(true)
	s := &server{
		api:     webrtc.NewAPI(webrtc.WithSettingEngine(settings)),
		peers:   map[string]*webrtc.PeerConnection{},
		streams: map[string]stream{},
	}
	http.HandleFunc("POST /whip/{stream}", s.publish)
	http.HandleFunc("POST /whep/{stream}", s.watch)
	http.HandleFunc("DELETE /{kind}/{stream}/{session}", s.end)
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", *port), nil))
}

func (s *server) publish(response http.ResponseWriter, request *http.Request) {
	name := request.PathValue("stream")
	s.open(response, request, func(peer *webrtc.PeerConnection) error {
		peer.OnDataChannel(func(channel *webrtc.DataChannel) {
			channel.OnMessage(func(message webrtc.DataChannelMessage) {
				var err error
				if message.IsString {
					err = channel.SendText(string(message.Data))
				} else {
					err = channel.Send(message.Data)
				}
				if err != nil {
					log.Print(err)
				}
			})
		})
		peer.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			local, err := webrtc.NewTrackLocalStaticRTP(
				remote.Codec().RTPCodecCapability, remote.Kind().String(), name,
			)
			if err != nil {
				log.Print(err)
				return
			}
			s.mutex.Lock()
			if s.streams[name] == nil {
				s.streams[name] = stream{}
			}
			s.streams[name][remote.Kind()] = local
			s.mutex.Unlock()
			forward(remote, local)
		})
		return nil
	})
}

// forward passes packets on until the publisher has gone.
func forward(remote *webrtc.TrackRemote, local *webrtc.TrackLocalStaticRTP) {
	buffer := make([]byte, maxPacket)
	var packet rtp.Packet
	for {
		size, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		if err := packet.Unmarshal(buffer[:size]); err != nil {
			log.Print(err)
			continue
		}
		// Identifiers of header extensions are those of the publisher's session.
		packet.Extension = false
		packet.Extensions = nil
		if err := local.WriteRTP(&packet); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			log.Print(err)
		}
	}
}

func (s *server) watch(response http.ResponseWriter, request *http.Request) {
	s.mutex.Lock()
	tracks := make([]*webrtc.TrackLocalStaticRTP, 0, 2)
	for _, track := range s.streams[request.PathValue("stream")] {
		tracks = append(tracks, track)
	}
	s.mutex.Unlock()
	if len(tracks) == 0 {
		http.Error(response, "nobody publishes this", http.StatusNotFound)
		return
	}
	s.open(response, request, func(peer *webrtc.PeerConnection) error {
		for _, track := range tracks {
			sender, err := peer.AddTrack(track)
			if err != nil {
				return err
			}
			go drain(sender)
		}
		return nil
	})
}

// drain reads reports, which interceptors answer.
func drain(sender *webrtc.RTPSender) {
	buffer := make([]byte, maxPacket)
	for {
		if _, _, err := sender.Read(buffer); err != nil {
			return
		}
	}
}

// open answers an offer; prepare sets the peer up before.
func (s *server) open(
	response http.ResponseWriter,
	request *http.Request,
	prepare func(*webrtc.PeerConnection) error,
) {
	offer, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	peer, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		http.Error(response, err.Error(), http.StatusInternalServerError)
		return
	}
	answer, err := negotiate(peer, string(offer), prepare)
	if err != nil {
		_ = peer.Close()
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	session := rand.Text()
	s.mutex.Lock()
	s.peers[session] = peer
	s.mutex.Unlock()
	peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed {
			s.close(session)
		}
	})
	response.Header().Set("Content-Type", "application/sdp")
	response.Header().Set("Location", request.URL.Path+"/"+session)
	response.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(response, answer)
}

func negotiate(
	peer *webrtc.PeerConnection, offer string, prepare func(*webrtc.PeerConnection) error,
) (string, error) {
	if err := prepare(peer); err != nil {
		return "", err
	}
	remote := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := peer.SetRemoteDescription(remote); err != nil {
		return "", err
	}
	answer, err := peer.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(peer)
	if err := peer.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return peer.LocalDescription().SDP, nil
}

func (s *server) end(response http.ResponseWriter, request *http.Request) {
	if !s.close(request.PathValue("session")) {
		http.Error(response, "there is no such session", http.StatusNotFound)
	}
}

// close ends a session, and tells whether there was one.
func (s *server) close(session string) bool {
	s.mutex.Lock()
	peer, found := s.peers[session]
	delete(s.peers, session)
	s.mutex.Unlock()
	if found {
		_ = peer.Close()
	}
	return found
}
