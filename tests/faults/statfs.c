/* Makes every filesystem look like NFS to statfs(2), for a directory that no test can mount. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/vfs.h>

#define NFS 0x6969

int statfs(const char *path, struct statfs *out)
{
	int (*next)(const char *, struct statfs *) = dlsym(RTLD_NEXT, "statfs");
	int result = next(path, out);

	if (result == 0)
		out->f_type = NFS;
	return result;
}
