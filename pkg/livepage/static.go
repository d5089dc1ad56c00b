package livepage

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var page embed.FS

// file is a file of the page, as it is sent.
type file struct {
	contentType   string
	tag           string // changes with the content, so that a browser asks for a file again only then
	plain, packed []byte
}

func staticFiles() http.Handler {
	files := make(map[string]file)
	err := fs.WalkDir(page, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := page.ReadFile(name)
		if err != nil {
			return err
		}
		url := strings.TrimPrefix(name, "page")
		url = strings.TrimSuffix(strings.TrimSuffix(url, "index.html"), ".html") // "/" and "/help"
		files[url] = newFile(path.Ext(name), content)
		return nil
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", file.contentType)
		header.Set("Cache-Control", "no-cache") // ask whether the tag is still the same
		header.Set("ETag", file.tag)
		header.Set("Vary", "Accept-Encoding")
		if r.Header.Get("If-None-Match") == file.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		content := file.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			content = file.packed
		}
		header.Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method != http.MethodHead {
			w.Write(content)
		}
	})
}

// types has the kinds of files in page/. Package mime would ask the operating system, and some Windows
// registries have text/plain for .js.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

func newFile(extension string, content []byte) file {
	var packed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // a valid level
	writer.Write(content)                                           // memory cannot fail
	writer.Close()
	return file{
		contentType: types[extension],
		tag:         fmt.Sprintf(`"%.8x"`, sha256.Sum256(content)),
		plain:       content,
		packed:      packed.Bytes(),
	}
}
