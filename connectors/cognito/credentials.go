package cognito

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// earlier is how long before their end credentials are renewed: longer than a throttled request may wait, so that those
// taken at its beginning are good for its last try.
const earlier = 10 * time.Minute

// key holds the credentials. The chain of the SDK is asked lazily, because opening a directory sends nothing; it keeps its own
// client and retries: it talks to other services, before any call to Cognito.
type key struct {
	static          aws.CredentialsProvider // nil for the chain
	region, profile string

	mu      sync.Mutex
	cache   *aws.CredentialsCache
	current atomic.Pointer[aws.Credentials]
}

func newKey(s directory.Settings, region string) *key {
	k := &key{region: region, profile: s.Text("profile")}
	if id := s.Text("access_key_id"); id != "" {
		k.static = credentials.NewStaticCredentialsProvider(id, s.Text("secret_access_key"), s.Text("session_token"))
	}
	return k
}

// ready sees to it that the next request can be signed.
func (k *key) ready(ctx context.Context) error {
	provider, err := k.provider(ctx)
	if err == nil {
		var credentials aws.Credentials
		if credentials, err = provider.Retrieve(ctx); err == nil {
			k.current.Store(&credentials)
			return nil
		}
	}
	if ctx.Err() != nil {
		return &directory.Error{Kind: directory.Retryable, Op: "find AWS credentials", Err: ctx.Err()}
	}
	return &directory.Error{
		Kind: directory.Auth, Op: "find AWS credentials", Err: fmt.Errorf("no AWS credentials: %w", err),
		Remedy: "give access_key_id and secret_access_key, or a profile, or let Rollcall run with a role",
	}
}

func (k *key) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	if k.static != nil {
		return k.static, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cache != nil {
		return k.cache, nil
	}
	// The environment's region would do for the services that give credentials, but the pool's is always there.
	loaders := []func(*config.LoadOptions) error{config.WithDefaultRegion(k.region)}
	if k.profile != "" {
		loaders = append(loaders, config.WithSharedConfigProfile(k.profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, loaders...)
	if err != nil {
		return nil, err
	}
	if loaded.Credentials == nil {
		return nil, errors.New("the chain is empty")
	}
	k.cache = aws.NewCredentialsCache(loaded.Credentials, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = earlier })
	return k.cache, nil
}

// drop forgets what the chain gave, so that it is asked again; false where there is nothing to ask.
func (k *key) drop() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cache == nil {
		return false
	}
	k.cache = nil // with the chain's own cache, which it wraps
	return true
}

// unsigned stands in for the credentials and the signer of the SDK: requests are signed later.
type unsigned struct{}

func (unsigned) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "unused", SecretAccessKey: "unused", Source: "rollcall"}, nil
}

func (unsigned) SignHTTP(context.Context, aws.Credentials, *http.Request, string, string, string, time.Time, ...func(*v4.SignerOptions)) error {
	return nil
}

// signer signs each try below the transport. A signature is good for five minutes, and a request may wait as long for its
// turn or for a throttled server.
type signer struct {
	key    *key
	region string
	now    func() time.Time
	next   http.RoundTripper
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close() // read
		if err != nil {
			return nil, err
		}
	}
	signed := req.Clone(req.Context())
	signed.Body, signed.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	hash := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(req.Context(), *s.key.current.Load(), signed, hex.EncodeToString(hash[:]), "cognito-idp", s.region, s.now())
	if err != nil {
		return nil, err
	}
	return s.next.RoundTrip(signed)
}

// CloseIdleConnections closes connections that wait for the next request.
func (s *signer) CloseIdleConnections() {
	if next, ok := s.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
