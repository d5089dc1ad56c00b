package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fillData makes a DataDir with messages in partition 3, in three batches, and a committed offset.
func fillData(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c := start(t, Config{Topics: []string{"t"}, DataDir: dir})
	cl := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for range 3 {
		var batch []*kgo.Record
		for range 100 {
			batch = append(batch, &kgo.Record{Topic: "t", Partition: 3, Value: []byte("a message of some bytes")})
		}
		if err := cl.ProduceSync(deadline(t), batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset("t", 3, 7, -1)
	for range 3 {
		if err := kadm.NewClient(cl).CommitAllOffsets(deadline(t), "readers", offsets); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if err := c.Err(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// end returns the end of partition 3.
func end(t *testing.T, dir string) int64 {
	t.Helper()
	c := start(t, Config{Topics: []string{"t"}, DataDir: dir})
	defer c.Close()
	return c.Kfake().PartitionInfo("t", 3).HighWatermark
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	other := t.TempDir()
	if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return other
}

func change(t *testing.T, path string, how func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, how(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const segment3 = "partitions/t-3/0"

// A cluster does not start with damaged files. It names the file, and changes nothing.
func TestDamage(t *testing.T) {
	overwrite := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], "damaged!"); return b }
	}
	cut := func(b []byte) []byte { return b[:len(b)-30] }
	empty := func([]byte) []byte { return nil }
	data := fillData(t)
	for name, test := range map[string]struct {
		file string
		how  func([]byte) []byte
	}{
		"first offset overwritten":     {segment3 + ".dat", overwrite(0)},
		"length overwritten":           {segment3 + ".dat", overwrite(8)},
		"messages overwritten":         {segment3 + ".dat", overwrite(100)},
		"last message overwritten":     {segment3 + ".dat", func(b []byte) []byte { return overwrite(len(b) - 8)(b) }},
		"messages cut off":             {segment3 + ".dat", cut},
		"messages empty":               {segment3 + ".dat", empty},
		"commits overwritten":          {"groups.log", overwrite(20)},
		"length of commit overwritten": {"groups.log", overwrite(0)},
		"commits cut off":              {"groups.log", cut},
		"topics cut off":               {"topics.json", cut},
		"topics empty":                 {"topics.json", empty},
		"cluster empty":                {"meta.json", empty},
		"partition empty":              {"partitions/t-3/snapshot.json", empty},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, data)
			path := filepath.Join(dir, test.file)
			change(t, path, test.how)
			refused(t, dir, path)
		})
	}
	for _, lost := range []string{"meta.json", "topics.json", "groups.log", segment3 + ".dat"} {
		t.Run(lost+" lost", func(t *testing.T) {
			dir := copyOf(t, data)
			path := filepath.Join(dir, lost)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, path)
		})
	}
}

func refused(t *testing.T, dir, path string) {
	t.Helper()
	before := snapshot(t, dir)
	c, err := Start(Config{Topics: []string{"t"}, DataDir: dir})
	if err == nil {
		t.Errorf("the cluster starts, and the partition ends at %d", c.Kfake().PartitionInfo("t", 3).HighWatermark)
		c.Close()
		return
	}
	var damage *DamageError
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want a DamageError that names %s", err, path)
	}
	if after := snapshot(t, dir); after != before {
		t.Error("the start changed the files")
	}
}

// snapshot returns the content of all files below a folder.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.WriteString(path + "\n" + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// After SIGKILL, the ends of files can be incomplete, and the files of an orderly stop do not exist. The
// cluster starts with all complete messages.
func TestKilledWhileWriting(t *testing.T) {
	again := func(size int) func([]byte) []byte {
		return func(b []byte) []byte { return append(b, b[:size]...) }
	}
	data := fillData(t)
	for name, test := range map[string]struct {
		file string
		how  func([]byte) []byte
	}{
		"five bytes of a batch":     {segment3 + ".dat", again(5)},
		"a batch without its end":   {segment3 + ".dat", again(90)},
		"a batch without its entry": {segment3 + ".idx", func(b []byte) []byte { return b[:len(b)-15] }},
		"a part of an entry":        {segment3 + ".idx", again(7)},
		"a part of a commit":        {"groups.log", again(30)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, data)
			change(t, filepath.Join(dir, test.file), test.how)
			for _, last := range []string{sizesFile, "seq_windows.json", "session_state.json", "partitions/t-3/snapshot.json"} {
				os.Remove(filepath.Join(dir, last))
			}
			if err := os.WriteFile(filepath.Join(dir, "topics.json.tmp"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := end(t, dir); got != 300 {
				t.Errorf("the partition ends at %d, want 300", got)
			}
		})
	}
}

// A DataDir on a full disk is reported once. Acknowledged messages are there after a restart.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skipf("no device that is always full on %s: %v", runtime.GOOS, err)
	}
	dir := fillData(t)
	var printed said
	c := start(t, Config{Topics: []string{"t"}, DataDir: dir, Say: printed.say})
	if err := c.Err(); err != nil {
		t.Error("before the disk is full:", err)
	}
	// Messages for partition 4 go to a full disk, those for partition 3 do not.
	full := filepath.Join(dir, "partitions/t-4")
	if err := os.MkdirAll(full, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(full, "0.dat")); err != nil {
		t.Fatal(err)
	}
	cl := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	acknowledged := make(map[int32]int)
	for range 3 {
		for _, partition := range []int32{3, 4} {
			if cl.ProduceSync(deadline(t), &kgo.Record{Topic: "t", Partition: partition}).FirstErr() == nil {
				acknowledged[partition]++
			}
		}
	}
	if acknowledged[3] != 3 || acknowledged[4] != 0 {
		t.Errorf("acknowledged: %v", acknowledged)
	}
	c.Close()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "t-4/0.dat") {
		t.Errorf("after the end: %v, want an error that names the file", err)
	}
	lines := strings.Split(printed.String(), "\n")
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "no space left on device") }) || len(lines) != 3 {
		t.Errorf("it printed %q, want the error, its meaning and a hint", lines)
	}
	os.RemoveAll(full)
	if got := end(t, dir); got != 303 {
		t.Errorf("the partition ends at %d, want 303", got)
	}
}
