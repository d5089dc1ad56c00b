package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DamageError reports that a file of a DataDir has lost messages or settings.
type DamageError struct {
	Path string
	Err  error
}

func (e *DamageError) Error() string { return fmt.Sprintf("%s: damaged: %v", e.Path, e.Err) }
func (e *DamageError) Unwrap() error { return e.Err }

// checkData returns a [*DamageError] if files in dir are damaged. It changes no file. kfake itself cuts a
// file off where it cannot read on, without an error, and then starts with the rest.
//
// The end of the newest files may be incomplete, because the process may have been killed while it wrote.
// Nobody has an acknowledgement for that end. After an orderly stop, no file may be shorter than it was.
func checkData(dir string) error {
	meta := filepath.Join(dir, "meta.json") // the first file that kfake writes
	partitions := filepath.Join(dir, "partitions")
	topics := filepath.Join(dir, "topics.json")
	folders, err := os.ReadDir(partitions)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(folders) > 0 {
		for _, path := range []string{meta, topics} {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				return &DamageError{path, errors.New("the file is missing")}
			}
		}
	}
	// kfake writes these files completely, and then renames them.
	settings, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range settings {
		if err := readJSON(path, new(any)); err != nil {
			return err
		}
	}
	for _, name := range []string{"groups.log", "pids.log"} {
		if err := checkLog(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	compacted, err := compactedTopics(topics)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		name := folder.Name()[:max(0, strings.LastIndexByte(folder.Name(), '-'))]
		topic, err := url.PathUnescape(name)
		if err != nil {
			return err
		}
		if err := checkPartition(filepath.Join(partitions, folder.Name()), compacted[topic]); err != nil {
			return err
		}
	}
	return checkSizes(dir)
}

// sizesFile has the size of each log and segment after an orderly stop. Nothing else shows that a log has
// lost entries at its end.
const sizesFile = "sizes.json"

// saveSizes is called after an orderly stop. The next start removes the file.
func saveSizes(dir string) error {
	sizes := make(map[string]int64)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".log" && filepath.Ext(path) != ".dat" {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sizes[strings.TrimPrefix(path, dir)] = info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(sizes)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, sizesFile), text, 0o600)
}

func checkSizes(dir string) error {
	var sizes map[string]int64
	if err := readJSON(filepath.Join(dir, sizesFile), &sizes); err != nil {
		return err
	}
	for name, before := range sizes {
		path := filepath.Join(dir, name)
		switch info, err := os.Stat(path); {
		case errors.Is(err, os.ErrNotExist):
			return &DamageError{path, errors.New("the file is missing")}
		case err != nil:
			return err
		case info.Size() < before:
			return &DamageError{path, fmt.Errorf("ends at byte %d, but had %d bytes when the cluster stopped", info.Size(), before)}
		}
	}
	return nil
}

// readJSON does not change v if the file does not exist.
func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &DamageError{path, err}
	}
	return nil
}

// compactedTopics returns the topics whose offsets can have gaps.
func compactedTopics(path string) (map[string]bool, error) {
	var file struct {
		Topics []struct {
			Name    string
			Configs map[string]string
		}
	}
	if err := readJSON(path, &file); err != nil {
		return nil, err
	}
	compacted := make(map[string]bool)
	for _, topic := range file.Topics {
		compacted[topic.Name] = strings.Contains(topic.Configs["cleanup.policy"], "compact")
	}
	return compacted, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkLog checks a log of groups or producers. An entry has a length (4 bytes), a checksum (4), a version
// (2) and JSON.
func checkLog(path string) error {
	log, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entry := func(b []byte) (size int, ok bool) {
		if len(b) < 10 {
			return 0, false
		}
		size = 8 + int(binary.LittleEndian.Uint32(b))
		ok = size >= 10 && size <= len(b) && crc32.Checksum(b[8:size], castagnoli) == binary.LittleEndian.Uint32(b[4:])
		return size, ok
	}
	rest := log
	for {
		size, ok := entry(rest)
		if !ok {
			break
		}
		rest = rest[size:]
	}
	for i := range rest {
		if _, ok := entry(rest[i:]); ok {
			return &DamageError{path, fmt.Errorf("not readable at byte %d", len(log)-len(rest))}
		}
	}
	return nil
}

// checkPartition checks the segments of a partition. A segment N.dat has batches of messages from offset N
// on, and N.idx has an entry for each batch that was written completely.
func checkPartition(dir string, compacted bool) error {
	if err := readJSON(filepath.Join(dir, "snapshot.json"), new(any)); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var bases []int64
	for _, file := range files {
		name := file.Name()
		if base, err := strconv.ParseInt(strings.TrimSuffix(name, ".idx"), 10, 64); err == nil && filepath.Ext(name) == ".idx" {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	for i, base := range bases {
		path := filepath.Join(dir, strconv.FormatInt(base, 10))
		end, err := checkSegment(path, base, compacted)
		if err == nil && i+1 < len(bases) && end != bases[i+1] && !compacted {
			err = &DamageError{path + ".dat", fmt.Errorf("ends at offset %d, but the next file begins at %d", end, bases[i+1])}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSegment returns the offset after the last message.
func checkSegment(path string, base int64, compacted bool) (end int64, err error) {
	data, err := os.ReadFile(path + ".dat")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	index, err := os.ReadFile(path + ".idx")
	if err != nil {
		return 0, err
	}
	end = base
	batches, at := 0, 0
	for {
		size, first, next, ok := readBatch(data[at:])
		if !ok || first < end || first > end && !compacted {
			break
		}
		at, end = at+size, next
		batches++
	}
	if batches < indexed(index) {
		return 0, &DamageError{path + ".dat", fmt.Errorf("not readable from offset %d (byte %d) on", end, at)}
	}
	return end, nil
}

// readBatch reads the batch at the beginning of data: its size, its first offset and the offset after it.
func readBatch(data []byte) (size int, first, next int64, ok bool) {
	var batch kmsg.RecordBatch
	const lengthEnd, checksum, checked = 12, 17, 21 // where they are
	if len(data) < checked {
		return 0, 0, 0, false
	}
	size = lengthEnd + int(binary.BigEndian.Uint32(data[8:]))
	if size < checked || size > len(data) ||
		crc32.Checksum(data[checked:size], castagnoli) != binary.BigEndian.Uint32(data[checksum:]) ||
		batch.ReadFrom(data[:size]) != nil {
		return 0, 0, 0, false
	}
	return size, batch.FirstOffset, batch.FirstOffset + int64(batch.LastOffsetDelta) + 1, true
}

// indexed counts the entries of an index. An entry has a version, the last byte of a checksum, and 13 more
// bytes. After an incomplete entry, which a full disk leaves, the next one can follow.
func indexed(index []byte) (entries int) {
	const size = 15
	for len(index) >= size {
		if index[0] != 1 || index[1] != byte(crc32.Checksum(index[2:size], castagnoli)) {
			index = index[1:]
			continue
		}
		index = index[size:]
		entries++
	}
	return entries
}
