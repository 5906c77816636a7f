package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keywright/keywright/issuer/login"
)

// fileList is a list of users in a file.
type fileList struct {
	path   string
	create bool
}

func (f *fileList) String() string { return f.path }

func (f *fileList) read(context.Context) ([]byte, error) {
	opened, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.create {
			return []byte(login.EmptyList), nil
		}
		return nil, fmt.Errorf("there is no file %s: `users add NAME -f %s --create` creates it", f.path, shellWord(f.path))
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	return io.ReadAll(io.LimitReader(opened, login.MaxBytes+1))
}

// change replaces the file, and keeps its mode. It returns an error if the file was changed in the meantime.
func (f *fileList) change(ctx context.Context, change func(*login.Edit) error) error {
	before, err := f.read(ctx)
	if err != nil {
		return err
	}
	e, err := login.EditUsers(before)
	if err != nil {
		return err
	}
	if err := change(e); err != nil {
		return err
	}
	return f.replace(ctx, before, e.Bytes())
}

func (f *fileList) replace(ctx context.Context, before, after []byte) (err error) {
	path, mode := f.path, fs.FileMode(0o600) // it contains password hashes
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	_, err = temporary.Write(after)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	now, err := f.read(ctx)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if !bytes.Equal(now, before) {
		return fmt.Errorf("another process changed %s in the meantime, and this command changed nothing: run the command again", f.path)
	}
	return os.Rename(temporary.Name(), path)
}
