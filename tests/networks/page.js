/**
 * What a browser does in a network, with the page's own WHIP client: an expression that is
 * evaluated on a page of the server's origin. It sets `networks`.
 */
(async () => {
  const { WhipClient } = await import('/client/whip-client.js');
  const SIZE = [320, 240];
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const random = () => Math.random().toString(36).slice(2);

  /** Waits for a condition, which may be asynchronous. */
  const until = async (condition) => {
    while (!(await condition())) await sleep(20);
  };

  /** A session, and how far it has got: messages echoed, frames received or shown. */
  class Task {
    constructor(endpoint) {
      this.client = new WhipClient(endpoint);
    }

    async connect() {
      await this.client.connect();
      const { marks } = this.client;
      this.took = (marks.get('connected') - marks.get('posted')) / 1000;
    }

    /** Waits until it has got so much further. Returns the seconds that this takes. */
    async goOn(more) {
      const began = performance.now();
      const since = await this.progress();
      await until(async () => (await this.progress()) >= since + more);
      return (performance.now() - began) / 1000;
    }

    /** Seconds that an ICE restart takes. */
    async restart() {
      const ufrag = () => /a=ice-ufrag:(.*)/.exec(this.client.pc.localDescription.sdp)[1];
      const [began, before] = [performance.now(), ufrag()];
      await this.client.restartIce();
      if (ufrag() === before) throw new Error('the ICE session is the same');
      return (performance.now() - began) / 1000;
    }

    /** How it is connected. */
    async cell() {
      let pair, local, remote;
      await until(async () => {
        const report = await this.client.pc.getStats();
        const all = [...report.values()];
        const { selectedCandidatePairId: id } = all.find(({ type }) => type === 'transport') ?? {};
        // Firefox has no such statistics, but says so of the pair.
        pair = report.get(id) ?? all.find(({ type, selected }) => type === 'candidate-pair' && selected);
        [local, remote] = [report.get(pair?.localCandidateId), report.get(pair?.remoteCandidateId)];
        return local && remote;
      });
      return {
        connected: this.took,
        relayed: local.candidateType === 'relay',
        protocol: local.protocol,
        address: remote.address,
      };
    }

    async end() {
      await this.client.close();
    }
  }

  class Ping extends Task {
    echoed = 0;
    sent = [];

    constructor() {
      super(`/whip/${random()}`);
      this.channel = this.client.pc.createDataChannel('test');
      this.channel.addEventListener('message', ({ data }) => {
        if (data !== this.sent.shift()) this.problem = 'another message came back';
        this.echoed += 1;
      });
    }

    async connect() {
      await super.connect();
      await until(() => this.channel.readyState === 'open');
      this.timer = setInterval(() => {
        // Now and then one that takes many packets.
        const message = random().repeat(this.sent.length ? 1 : 1000);
        this.sent.push(message);
        this.channel.send(message);
      }, 50);
    }

    progress() {
      if (this.problem) throw new Error(this.problem);
      return this.echoed;
    }

    async end() {
      clearInterval(this.timer);
      await until(() => this.progress() && this.sent.length === 0);
      await super.end();
    }
  }

  class Publish extends Task {
    constructor(stream = random()) {
      super(`/whip/${stream}`);
      this.stream = stream;
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = SIZE;
      const context = canvas.getContext('2d');
      this.timer = setInterval(() => {
        for (let x = 0; x < SIZE[0]; x += 16) {
          context.fillStyle = `hsl(${360 * Math.random()} 90% 50%)`;
          context.fillRect(x, 0, 16, SIZE[1]);
        }
      }, 50);
      for (const track of canvas.captureStream(20).getTracks()) {
        this.client.pc.addTransceiver(track, { direction: 'sendonly' });
      }
    }

    /** Frames that the server has got. */
    async progress() {
      const response = await fetch(`/api/streams/${this.stream}`);
      if (!response.ok) throw new Error(`the stream: ${response.status}`);
      const { tracks } = await response.json();
      return tracks.flatMap(({ layers }) => layers).reduce((sum, { frames }) => sum + frames, 0);
    }

    async end() {
      clearInterval(this.timer);
      await super.end();
    }
  }

  class Watch extends Task {
    shown = 0;

    constructor() {
      super('/whep/show');
      this.video = document.createElement('video');
      Object.assign(this.video, { muted: true, autoplay: true });
      (document.body ?? document.documentElement).append(this.video);
      this.client.pc.addEventListener('track', ({ track }) => {
        if (track.kind === 'video') this.video.srcObject = new MediaStream([track]);
      });
      for (const kind of ['video', 'audio']) {
        this.client.pc.addTransceiver(kind, { direction: 'recvonly' });
      }
      const note = () => {
        this.shown += 1;
        this.video.requestVideoFrameCallback(note);
      };
      this.video.requestVideoFrameCallback(note);
    }

    progress() {
      const { videoWidth, videoHeight } = this.video;
      if (this.shown && (videoWidth !== SIZE[0] || videoHeight !== SIZE[1])) {
        throw new Error(`pictures of ${videoWidth}x${videoHeight}`);
      }
      return this.shown;
    }

    async end() {
      this.video.remove();
      await super.end();
    }
  }

  const kinds = { ping: Ping, publish: Publish, watch: Watch, restart: Ping };
  const tasks = {};

  globalThis.networks = {
    async start(action, enough) {
      tasks[action] = new kinds[action]();
      await tasks[action].connect();
      await tasks[action].goOn(enough);
    },
    goOn: (action, enough) => tasks[action].goOn(enough),
    restart: (action) => tasks[action].restart(),
    cell: (action) => tasks[action].cell(),
    end: (action) => tasks[action].end(),
  };
})()
