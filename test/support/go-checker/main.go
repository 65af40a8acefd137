// An independent reader of a publisher's log: Go's sumdb/note and sumdb/tlog, C2SP's tlog-checkpoint and tlog-tiles.
//
// checker FOLDER VKEY [KEYFILE] reads "SIZE ROOT" lines of earlier heads on standard input (ROOT in base64). It checks the signed
// checkpoint, every tile against its root, an inclusion proof of every record, and that each earlier head is a prefix. With KEYFILE it signs a note
// with that key and opens it with VKEY. Prints one JSON object, or a line that says what is wrong.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func need(ok bool, format string, args ...interface{}) {
	if !ok {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
}

func check(err error, what string) { need(err == nil, "%s: %v", what, err) }

// C2SP's paths: Go's own have the height in them. tlog cuts the index into groups of three digits as C2SP does.
type tiles struct{ folder string }

func (tiles) Height() int { return 8 }

func path(t tlog.Tile, kind string) string {
	rest := strings.TrimPrefix(t.Path(), "tile/8/")
	_, index, _ := strings.Cut(rest, "/")
	return "tile/" + kind + "/" + index
}

func (r tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range wanted {
		data, err := os.ReadFile(filepath.Join(r.folder, path(t, strconv.Itoa(t.L))))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func parse(text string) (origin string, tree tlog.Tree) {
	lines := strings.Split(text, "\n")
	need(len(lines) == 4 && lines[3] == "", "the checkpoint has %d lines", len(lines)-1)
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err, "root")
	need(len(root) == tlog.HashSize, "a root of %d bytes", len(root))
	tree.N = size
	copy(tree.Hash[:], root)
	return lines[0], tree
}

// The records of the entry bundles, in order.
func records(folder string, size int64) (all [][]byte) {
	for at := int64(0); at < size; at += 256 {
		width := 256
		if size-at < 256 {
			width = int(size - at)
		}
		data, err := os.ReadFile(filepath.Join(folder, path(tlog.Tile{H: 8, L: 0, N: at / 256, W: width}, "entries")))
		check(err, "entries")
		for i := 0; i < width; i++ {
			need(len(data) >= 2, "a bundle of %d entries ends at %d", width, i)
			length := int(binary.BigEndian.Uint16(data))
			need(len(data) >= 2+length, "entry %d is cut", at+int64(i))
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
		need(len(data) == 0, "%d bytes behind the last entry", len(data))
	}
	return
}

func main() {
	need(len(os.Args) >= 3, "usage: checker FOLDER VKEY [KEYFILE]")
	folder, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	check(err, "verifier key")
	if len(os.Args) > 3 {
		text, err := os.ReadFile(os.Args[3])
		check(err, "key file")
		signer, err := note.NewSigner(strings.TrimSpace(string(text)))
		check(err, "signer key")
		signed, err := note.Sign(&note.Note{Text: "by Go\n"}, signer)
		check(err, "signing")
		_, err = note.Open(signed, note.VerifierList(verifier))
		check(err, "what Go signed")
	}
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err, "checkpoint")
	opened, err := note.Open(message, note.VerifierList(verifier))
	check(err, "note")
	origin, tree := parse(opened.Text)
	need(origin == verifier.Name(), "the origin is %q, the key's name %q", origin, verifier.Name())

	hashes := tlog.TileHashReader(tree, tiles{folder})
	previous := ""
	for i, data := range records(folder, tree.N) {
		at := int64(i)
		leaf := tlog.RecordHash(data)
		stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, at)})
		check(err, "leaf")
		need(stored[0] == leaf, "record %d has another leaf hash", i)
		proof, err := tlog.ProveRecord(tree.N, at, hashes)
		check(err, "inclusion proof")
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, at, leaf), "inclusion")
		var record struct {
			Seq      int64
			Previous *string
		}
		check(json.Unmarshal(data, &record), "record")
		need(record.Seq == at, "record %d has seq %d", i, record.Seq)
		if i > 0 {
			need(record.Previous != nil && *record.Previous == previous, "record %d does not name the one before it", i)
		}
		previous = fmt.Sprintf("%x", leaf[:])
		need(!bytes.ContainsRune(data, '\n'), "record %d has more than one line", i)
	}
	heads := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); heads++ {
		sizeText, rootText, _ := strings.Cut(lines.Text(), " ")
		_, earlier := parse("x\n" + sizeText + "\n" + rootText + "\n")
		need(earlier.N <= tree.N, "a head of %d was seen, the log has %d", earlier.N, tree.N)
		if earlier.N == 0 {
			continue
		}
		proof, err := tlog.ProveTree(tree.N, earlier.N, hashes)
		check(err, "consistency proof")
		check(tlog.CheckTree(proof, tree.N, tree.Hash, earlier.N, earlier.Hash), "consistency")
	}
	told, err := json.Marshal(map[string]interface{}{"origin": origin, "size": tree.N, "heads": heads})
	check(err, "answer")
	fmt.Println(string(told))
}
